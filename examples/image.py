"""An image in a message, as a data URL: it needs no server that the provider could reach.

demo-echo repeats the text alone; gemini-2.5-flash or claude-sonnet-4-5, for instance, look at the image.
"""

import base64
import struct
import zlib

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:4000/v1", api_key="any text")


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(colour) * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


picture = base64.b64encode(png(64, 64, (200, 30, 30))).decode()
answer = client.chat.completions.create(
    model="demo-echo",
    messages=[
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is in this picture?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
            ],
        }
    ],
)
print(answer.choices[0].message.content)
