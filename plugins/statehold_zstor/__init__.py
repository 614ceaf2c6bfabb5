"""zstor: objects that are compressed, encrypted and spread over places, of which some may be lost."""
