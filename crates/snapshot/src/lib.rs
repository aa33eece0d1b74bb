//! What a call would lose, kept before it, and given back.
