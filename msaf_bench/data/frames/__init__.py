"""Frames of videos, in folders or video files, and their order.

`files` lists and reads frames. `video` reads the frames of a video file: `timeline` checks the file
and finds the display times of its frames, `containers` checks that it is complete. `neighbours`
pairs the frames of a folder by the numbers in their names: `inference` finds the way to read the
numbers (`decimals` with `fields`, `hexadecimals`, `times`), `patterns` reads them by a given
pattern. `numbers` holds the result of a reading, `values` the forms of a number.
"""
