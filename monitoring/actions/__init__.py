"""What people do from a page: a look at what it would touch, then the deed; without scripts too."""
