"""Usage over HTTP: what is told is what was charged and written down, and of nobody else."""

import pytest

EVERYTHING = """query($from: DateTime, $to: DateTime) { usage(from: $from, to: $to) {
  from to requests credits errors rateLimited lastUsedAt
  buckets { at requests credits errors rateLimited } hours: buckets(granularity: HOUR) { at requests }
  byKey { apiKey { id name createdBy { email } usage { requests byField { field calls credits } } } requests credits errors }
  byMember { member { email } requests credits errors }
  byField { field calls credits } byCountry { country requests } anomalies { kind at detail apiKey { id } } } }"""


async def test_usage_reads(service):
    for _ in range(3):
        await service.data("{ creators { nodes { id } } }", key=service.live)
    answer = await service.ask(
        EVERYTHING, key=service.live, headers={"X-Debug": "path", "X-Credits-Receipt": "1"}
    )
    print(answer.headers.get("X-Execution-Path"), answer.body)
    assert 0
