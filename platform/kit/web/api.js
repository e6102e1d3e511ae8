// What other parts of the script, pages of ours and tests may use: the check without any page.
Object.assign(tools, { hex, join, sha256, bigEndian, littleEndian, bytesOfHex, L });
Object.assign(tools, { base64, decodeCbor, parsePolicy, checkNoteOfLog, checkLog, verifier, fetchFallback });
globalThis.Tracebond = { verify: verifyBundle, tools };
