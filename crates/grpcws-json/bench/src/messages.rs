//! The inputs: each message as JSON, from which the wire bytes are made.

use std::fmt::Write as _;

/// A message type of the bench, and its one value.
pub struct Input {
    /// As in the table of results.
    pub label: &'static str,
    pub message: &'static str,
    pub json: String,
}

pub fn inputs() -> Vec<Input> {
    vec![
        input("small", "Small", small()),
        input("medium", "Medium", medium()),
        input("nested-and-map", "NestedAndMap", nested_and_map(3)),
        input("large-string", "LargeString", large_string()),
        input("large-bytes", "LargeBytes", large_bytes()),
        input("repeated-numbers", "RepeatedNumbers", repeated_numbers()),
        input("full-precision", "RepeatedNumbers", full_precision()),
        input("Any", "AnyMessage", any()),
    ]
}

fn input(label: &'static str, message: &'static str, json: String) -> Input {
    Input { label, message, json }
}

fn small() -> String {
    r#"{"gameId":"chess-4711","sequence":"82734","mode":"MODE_FAST","position":{"x":317,"y":-42},"accepted":true}"#
        .to_owned()
}

fn medium() -> String {
    let items: Vec<String> = (1..=4)
        .map(|at| {
            format!(
                r#"{{"sku":"SKU-{at}0{at}7","title":"Espresso cup, \"Nr. {at}\", glazed","quantity":{at},"priceCents":"{}","weight":{},"fragile":true}}"#,
                1290 + at * 55,
                0.35 * f64::from(at)
            )
        })
        .collect();
    format!(
        r#"{{"orderId":"0198a6d2-7c1f-7c3e-9f4e-2d5c8a1b9e77","customerName":"Zoë Åkerström","emailAddress":"zoe.akerstrom@example.com","createdAt":"2026-03-14T09:26:53.589793Z","updatedAt":"2026-03-14T10:00:00Z","status":"STATUS_PAID","items":[{}],"shippingAddress":{{"street":"Storgatan 12","city":"Umeå","postalCode":"903 26","countryCode":"SE"}},"billingAddress":{{"street":"Box 7","city":"Stockholm","postalCode":"101 20","countryCode":"SE"}},"tags":["gift","loyal-customer","spring-campaign"],"labels":{{"channel":"web","warehouse":"north-2","carrier":"rail"}},"totalCents":"14160","discount":0.125,"express":true,"note":"Leave at the door.\nDo not ring.","cardToken":"tok_7f3a2b"}}"#,
        items.join(",")
    )
}

fn nested_and_map(depth: u32) -> String {
    let mut json = format!(
        r#"{{"name":"node-{depth}","readings":{{"-1":0.5,"7":12.25,"300":-99.9}},"points":{{"upper-left":{{"x":1,"y":2}},"lower-right":{{"x":300,"y":-400}}}}"#
    );
    if depth > 0 {
        let child = nested_and_map(depth - 1);
        let _ =
            write!(json, r#","children":{{"first":{child},"second":{child}}},"next":{{"name":"behind"}}"#);
    }
    json + "}"
}

/// A mebibyte of prose with a line break in each line and a letter that is not ASCII in each third.
fn large_string() -> String {
    let mut text = String::from(r#"{"text":""#);
    let mut line = 0;
    while text.len() < 1 << 20 {
        let river = if line % 3 == 0 { "Øresund" } else { "Thames" };
        let _ = write!(
            text,
            r"{line}: the ferry crosses the {river} at dusk, and the lamps are lit on both banks.\n"
        );
        line += 1;
    }
    text + r#""}"#
}

/// Base64 of a mebibyte.
fn large_bytes() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = Random(7);
    let digits = (0..(1 << 20) / 3 * 4).map(|_| char::from(DIGITS[random.next() as usize % 64]));
    format!(r#"{{"data":"{}"}}"#, digits.collect::<String>())
}

fn repeated_numbers() -> String {
    let mut random = Random(11);
    let mut list = |number: &mut dyn FnMut(u64) -> String| -> String {
        let numbers: Vec<String> = (0..200).map(|_| number(random.next())).collect();
        numbers.join(",")
    };
    let small = list(&mut |bits| ((bits % 2001) as i32 - 1000).to_string());
    let large = list(&mut |bits| format!("\"{}\"", (bits as i64) >> (bits % 40)));
    let measured = list(&mut |bits| (((bits % 2_000_000_000) as f64 - 1e9) / 1e5).to_string());
    let coarse = list(&mut |bits| ((bits % 200_000) as f32 / 100.0).to_string());
    let counters = list(&mut |bits| ((bits as u32) >> (bits % 20)).to_string());
    format!(
        r#"{{"small":[{small}],"large":[{large}],"measured":[{measured}],"coarse":[{coarse}],"counters":[{counters}]}}"#
    )
}

/// Doubles as computations leave them, with all their digits.
fn full_precision() -> String {
    let mut random = Random(13);
    let numbers: Vec<String> = (0..1000).map(|_| ((random.next() >> 11) as f64 / 1e12).to_string()).collect();
    format!(r#"{{"measured":[{}]}}"#, numbers.join(","))
}

fn any() -> String {
    let small = small();
    let small = small.trim_start_matches('{');
    format!(
        r#"{{"events":[{{"@type":"type.googleapis.com/bench.v1.Small",{small},{{"@type":"type.googleapis.com/google.protobuf.Timestamp","value":"2026-03-14T09:26:53.589Z"}},{{"@type":"type.googleapis.com/bench.v1.Address","street":"Storgatan 12","city":"Umeå","postalCode":"903 26","countryCode":"SE"}}]}}"#
    )
}

/// A linear congruential generator: the same inputs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ (self.0 >> 29)
    }
}
