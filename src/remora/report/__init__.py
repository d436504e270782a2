"""What is said to people: pages made from the tables, verdicts on manifests, the way of one request. Pure."""
