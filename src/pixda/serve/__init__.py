"""A page in the browser on which a model looks at images."""
