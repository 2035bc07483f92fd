"""Reads amounts, a line each, and logs their sum."""

import sys

import humanize
import structlog

structlog.configure(processors=[structlog.processors.JSONRenderer()])
total = sum(int(line) for line in sys.stdin)
structlog.get_logger().info("ordered", total=humanize.intcomma(total))
