// The reader's own check stands here.
