"""From a recorded graph to a program: passes that simplify graphs, and back ends that run them."""
