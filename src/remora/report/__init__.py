"""What is generated from the tables: pages of the documentation. Pure."""
