"""The faults, a module each (or a pair); ``registry`` lists them."""
