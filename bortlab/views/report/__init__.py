"""A report of a visit: the views that somebody saved, in one HTML file that needs nothing else.

saved.Report, saved.SavedView         # what a report holds, as plain values
writing.to_html(report)               # the file
reading.read(content)                 # the report of such a file, which may be anybody's
"""
