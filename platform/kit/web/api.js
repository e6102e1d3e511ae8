// For pages of ours, and for tests: the check without any page.
globalThis.Tracebond = Object.freeze({ verify: verifyBundle });
