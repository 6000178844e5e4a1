"""Function transformations: a function in, a function out."""
