"""Custom resources: what a CustomResourceDefinition says, as rows of the one table of resources."""
