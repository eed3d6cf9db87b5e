"""The record of a reading as JSON, the same from predict.py and from the page's server.

json_text(record)                            # '{"file": "photo.jpg", "text": "2026", ...}'
"""

import json
import os

ENCODE = json.JSONEncoder(allow_nan=False).encode


def json_text(record: dict) -> str:
    """Return a record (see `reader.read_image`) as one line of JSON, in ASCII: valid UTF-8 whatever the names are made of."""
    return ENCODE(json_ready(record))


def json_ready(record: dict) -> dict:
    """Return a copy of a record with probabilities rounded to six places and names that JSON can hold."""
    record = {**record, "confidence": record["confidence"] and round(record["confidence"], 6)}
    if record["guess"]:
        record["guess"] = {**record["guess"], "confidence": round(record["guess"]["confidence"], 6)}
    for key in {"file", "annotated"} & {key for key in record if record[key] is not None}:
        record[key] = os.fsencode(record[key]).decode("utf-8", "backslashreplace")
    record["digits"] = [
        {**one, "confidence": round(one["confidence"], 6), "top": [[digit, round(p, 6)] for digit, p in one["top"]]}
        for one in record["digits"]
    ]
    return record
