"""The back end of the guide's reader: its code as the guide gives it, its imports under the guide's paths."""
