"""What one looks at, to take away: maps and curves as SVG, PDF and PNG; a training as GIF and MP4; a run, a comparison
and a lesson as a Jupyter notebook and as one page that plays without a server.

Every file tells what it is of: the setting in words, epoch, rows, scores and the version that made it. matplotlib, PyAV
and Pillow are loaded when a file is asked for, never by a page that only offers it.
"""
