// What Twilio's published calculator says of each text: a JSON string a line in, an object a line out. `lengths`: the
// UTF-16 code units of the text in each segment.
const { SegmentedMessage } = require("sms-segments-calculator");
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const text = JSON.parse(line);
  const found = new SegmentedMessage(text, "auto", false);
  const lengths = found.segments.map((one) => Array.from(one, (part) => part.raw || "").join("").length);
  const answer = { text, encoding: found.encodingName, bits: found.messageSize, lengths };
  process.stdout.write(JSON.stringify(answer) + "\n");
});
