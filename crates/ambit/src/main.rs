//! ambit
fn main() {}
