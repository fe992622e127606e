"""`diaken doctor`: each check looks at one thing, changes nothing, and gives findings as data."""
