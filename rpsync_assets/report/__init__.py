"""One page per store and day: what came in, what became of it, what was changed, and why.

Belongs here: gathering what is stored, charts, the page, serving it. Does not: the asset (``assets/report``), numbers
that no table or record holds.

Charts are matplotlib's, as SVG inside the page: no script, nothing from the network, sharp on paper, and a page of tens
of kilobytes (Plotly's would carry 4 MB of script).
"""
