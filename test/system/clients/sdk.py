"""Uses the Python SDK as programs do, and prints what came of it as one JSON object."""

import json
import sys

import anthropic

client = anthropic.Anthropic()
MODEL = "claude-sonnet-5-5"
WEATHER = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def question(text, **fields):
    return {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **fields}


def stand_in(**behaviour):
    return {"x-stainless-stand-in": json.dumps(behaviour)}


def everything():
    plain = client.messages.create(**question("Hello"))
    with client.messages.stream(**question("Hello")) as stream:
        pieces = list(stream.text_stream)
        streamed = stream.get_final_message()
    called = client.messages.create(
        **question("How is Lima?", tools=[WEATHER]),
        extra_headers=stand_in(tool={"name": "weather", "input": {"city": "Lima"}}),
    )
    use = called.content[-1]
    answered = client.messages.create(
        model=MODEL,
        max_tokens=1000,
        tools=[WEATHER],
        messages=[
            {"role": "user", "content": "How is Lima?"},
            {"role": "assistant", "content": [block.model_dump() for block in called.content]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "Mist"}]},
        ],
    )
    thought = client.messages.create(**question("Think", thinking={"type": "adaptive"}))
    cached = client.messages.create(
        **question("Hi", system=[{"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}]),
        extra_headers=stand_in(usage={"cache_read_input_tokens": 1200}),
    )
    counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
    return {
        "plain": plain.content[0].text,
        "pieces": len(pieces),
        "streamed": streamed.content[0].text,
        "tool": use.input,
        "answered": answered.stop_reason,
        "thought": [block.type for block in thought.content],
        "cacheRead": cached.usage.cache_read_input_tokens,
        "counted": counted.input_tokens > 0,
        "models": MODEL in [model.id for model in client.models.list()],
    }


def refusal():
    try:
        client.messages.create(**question("Hello"))
    except anthropic.APIStatusError as error:
        return {"status": error.status_code, "class": type(error).__name__, "error": error.body["error"]}
    return {}


print(json.dumps({"everything": everything, "refusal": refusal}[sys.argv[1]]()))
