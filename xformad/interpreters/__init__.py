"""The meanings of primitives, one file each: its interpreter, its rule table, its derived rules, in reading order."""
