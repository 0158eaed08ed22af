"""Readers of data sets that lie on disk.

A new reader is a module here with a function `open_NAME(conditions, split, root)`; it finds the
files of the split (`files`, which reads folders and, by `zips`, archives), returns
`videos.LabelledVideos` of them, and is called in `data.open_split`. `camvid` and `cityscapes` are
examples. `downloads` has the files that a job needs, before and after a download.
"""
