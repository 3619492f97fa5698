"""The REST interface of the service, and the page that a reader uses."""
