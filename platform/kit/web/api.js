// What other parts of the script, pages of ours and tests may use: the check without any page.
Object.assign(tools, { hex, join, sha256, bigEndian, littleEndian, power, pointOf256, ED25519, P, L, P256, N256 });
globalThis.Tracebond = Object.freeze({ verify: verifyBundle, tools });
