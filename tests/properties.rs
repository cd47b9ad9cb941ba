//! placeholder
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod decoders;
#[test]
fn all_of_nothing() {
    for (name, d) in decoders::ALL {
        println!("{name}");
        d(&[]);
        d(b"\x01");
        d(b"\x00\x01\x02");
    }
}
