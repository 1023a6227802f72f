"""What wrk is told, and what it tells."""

from __future__ import annotations

import orjson

from bench.wrk import read, script


def test_the_script_sends_a_body_of_the_size_and_the_headers() -> None:
    lines = script({"content-type": "application/json", "authorization": "Bearer k"}, 5000).splitlines()
    body = next(line for line in lines if line.startswith("wrk.body"))
    document = orjson.loads(body.removeprefix("wrk.body = [==[").removesuffix("]==]"))
    assert document["model"] == "bench-n1"
    assert len(orjson.dumps(document)) == 5000
    assert 'wrk.headers["authorization"] = "Bearer k"' in lines


def test_what_it_wrote_last_is_read() -> None:
    told = b'Running 2s test\n  1 threads {..}\n{"requests":5000,"seconds":2.5,"failures":3,'
    told += b'"p50":900,"p90":1500,"p99":2000,"max":9000}'
    assert read(told) == {
        "requests": 5000,
        "answered": 5000,
        "failures": 3,
        "per_second": 2000.0,
        "latency_ms": {"p50": 0.9, "p90": 1.5, "p99": 2.0, "max": 9.0},
    }
