"""go test, and gotestsum."""
