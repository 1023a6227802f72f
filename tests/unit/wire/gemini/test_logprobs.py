"""Log probabilities."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.wire.gemini.logprobs import logprobs


def test_each_chosen_token_has_its_alternatives() -> None:
    result = {
        "chosenCandidates": [{"token": "Grüß", "logProbability": -0.5}, {"token": "!"}],
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -1.5}]}],
    }
    assert logprobs(result) == (
        {
            "token": "Grüß",
            "logprob": -0.5,
            "bytes": [71, 114, 195, 188, 195, 159],
            "top_logprobs": [{"token": "Hi", "logprob": -1.5, "bytes": [72, 105]}],
        },
        {"token": "!", "logprob": 0.0, "bytes": [33], "top_logprobs": []},
    )


@pytest.mark.parametrize("result", [None, {}, {"chosenCandidates": 1}, []])
def test_no_result_is_no_item(result: Any) -> None:
    assert logprobs(result) == ()
