"""Reads data sets that lie on disk, as the files in `datasets/` or of the user describe them.

`described` opens a split: `splits` finds its files by `patterns` in folders (`files`) or archives
(`zips`), `selection` says which belong to it, `neighbours` which frames make a clip, `decoding` and
`label_maps` read them, and `videos` has the clips. `downloads` has the files that a job needs,
before and after a download.
"""
