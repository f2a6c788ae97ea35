//! What numbers cost by themselves: those of a message printed or read one after the other by the fastest routines there
//! are for it, with no protobuf and no JSON around them.

use std::hint::black_box;

use serde_json::Value;

use crate::contenders::Transcode;
use crate::messages::Input;

/// The messages that are nothing but numbers.
pub const MESSAGES: [&str; 2] = ["repeated-numbers", "full-precision"];

/// The numbers of a message, by type.
#[derive(Default)]
struct Numbers {
    integers: Vec<i64>,
    doubles: Vec<f64>,
    floats: Vec<f32>,
}

/// The same as text.
#[derive(Default)]
struct Texts {
    integers: Vec<String>,
    doubles: Vec<String>,
    floats: Vec<String>,
}

impl Texts {
    fn of(input: &Input) -> Self {
        let mut texts = Self::default();
        let message: Value = serde_json::from_str(&input.json).expect("the inputs are JSON");
        for (field, elements) in message.as_object().into_iter().flatten() {
            let list = match field.as_str() {
                "measured" => &mut texts.doubles,
                "coarse" => &mut texts.floats,
                _ => &mut texts.integers,
            };
            list.extend(elements.as_array().into_iter().flatten().map(|element| match element {
                Value::String(text) => text.clone(),
                number => number.to_string(),
            }));
        }
        texts
    }

    fn numbers(&self) -> Numbers {
        Numbers {
            integers: parsed(&self.integers),
            doubles: parsed(&self.doubles),
            floats: parsed(&self.floats),
        }
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[String]) -> Vec<T> {
    texts.iter().map(|text| text.parse().expect("a number of its type")).collect()
}

/// Prints, or reads, all numbers and lets them go.
pub fn floor(input: &Input, direction: &str) -> Transcode {
    let texts = Texts::of(input);
    if direction == "to-json" {
        let numbers = texts.numbers();
        return Box::new(move |_, _| {
            for &number in &numbers.integers {
                black_box(itoa::Buffer::new().format(black_box(number)));
            }
            for &number in &numbers.doubles {
                black_box(zmij::Buffer::new().format_finite(black_box(number)));
            }
            for &number in &numbers.floats {
                black_box(zmij::Buffer::new().format_finite(black_box(number)));
            }
            true
        });
    }
    Box::new(move |_, _| {
        all_parse::<i64>(&texts.integers)
            && all_parse::<f64>(&texts.doubles)
            && all_parse::<f32>(&texts.floats)
    })
}

fn all_parse<T: std::str::FromStr>(texts: &[String]) -> bool {
    texts.iter().all(|text| black_box(black_box(text.as_str()).parse::<T>()).is_ok())
}
