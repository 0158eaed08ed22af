"""Label maps in files: class sets, ids, folders.

`classes` defines the class sets and their colours, `ids` the formats of ids and `--map`. `files`
reads one label map; `pairs` lists folders and pairs predictions with their ground truth.
`occurrence` and `overlap` reject ambiguous ids. `stack` stores the label maps of a run in one file.
"""
