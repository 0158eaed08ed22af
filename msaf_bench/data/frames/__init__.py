"""Frames of videos, in folders or video files, and which of them follow each other.

`files` lists and reads frames. `video` reads those of a video file: `timeline` checks it and says
when its frames are shown, `containers` whether it is whole. `neighbours` pairs the frames of a
folder by the numbers in their names: `inference` finds the way to read them (`decimals` with
`fields`, `hexadecimals`, `times`), `patterns` reads them by a given pattern. `numbers` has the
result of a reading, `values` the forms of a number.
"""
