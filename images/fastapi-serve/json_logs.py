"""Logs as lines of JSON, a record each: UVICORN_LOG_CONFIG=/opt/json-logs.json"""

import datetime
import json
import logging

USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}


class Formatter(logging.Formatter):
    def format(self, record):
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        fields = {"time": time.isoformat(timespec="milliseconds"), "level": record.levelname.lower()}
        fields |= {"logger": record.name, "message": record.getMessage()}
        if record.name == "uvicorn.access":
            fields |= dict(zip(("client", "method", "path", "http_version", "status"), record.args, strict=True))
        # What a call has added: logger.info("sold", extra={"order": 5})
        fields |= {name: value for name, value in vars(record).items() if name not in USUAL}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)
