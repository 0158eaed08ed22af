"""Label maps: their files, their ids, and the classes that the ids mean."""
