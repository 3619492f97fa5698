"""The report as one self-contained HTML page: `page.html_report`."""
