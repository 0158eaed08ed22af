"""Readers of data sets on disk, described by the files in `datasets/` or by the user's own file.

`described` opens a split. `splits` finds its files by `patterns` in folders (`files`) or archives
(`zips`), `selection` assigns them to splits, and `neighbours` groups frames into clips. `decoding`
and `label_maps` read the files, and `videos` provides the clips. `downloads` lists the files needed
by a job, before and after a download.
"""
