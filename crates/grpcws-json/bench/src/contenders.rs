//! Each way to do it, as a function from bytes to bytes that appends to a buffer which is used again, as a server does.

use std::sync::Arc;

use buffa::MessageView as _;
use buffa_descriptor::reflect::{DynamicMessage as BuffaDynamic, DynamicMessageSeed};
use prost::Message as _;
use serde::de::DeserializeSeed as _;
use serde::{Serialize, de::DeserializeOwned};

use crate::generated::{buffa as buffa_types_of_bench, prost as prost_types_of_bench};

pub static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// `false` where the input is refused.
pub type Transcode = Box<dyn FnMut(&[u8], &mut Vec<u8>) -> bool>;

/// The two directions of one contender for one message type.
pub struct Contender {
    pub name: &'static str,
    pub to_json: Option<Transcode>,
    pub from_json: Option<Transcode>,
}

pub fn contenders(message: &str) -> Vec<Contender> {
    vec![
        grpcws_json(message),
        prost_reflect(message),
        pbjson(message),
        buffa(message),
        buffa_view(message),
        buffa_dynamic(message),
    ]
}

fn both(name: &'static str, to_json: Transcode, from_json: Transcode) -> Contender {
    Contender { name, to_json: Some(to_json), from_json: Some(from_json) }
}

fn grpcws_json(message: &str) -> Contender {
    let table = grpcws_json::Table::from_file_descriptor_set(DESCRIPTORS).expect("valid descriptors");
    let message = table.message(&format!("bench.v1.{message}")).expect("in the descriptors");
    let again = message.clone();
    let (marshal, unmarshal) = Default::default();
    both(
        "grpcws-json",
        Box::new(move |wire, out| message.to_json(wire, &marshal, out).is_ok()),
        Box::new(move |json, out| again.from_json(json, &unmarshal, out).is_ok()),
    )
}

fn prost_reflect(message: &str) -> Contender {
    let pool = prost_reflect::DescriptorPool::decode(DESCRIPTORS).expect("valid descriptors");
    let message = pool.get_message_by_name(&format!("bench.v1.{message}")).expect("in the descriptors");
    let again = message.clone();
    both(
        "prost-reflect",
        Box::new(move |wire, out| {
            let Ok(decoded) = prost_reflect::DynamicMessage::decode(message.clone(), wire) else {
                return false;
            };
            serde_json::to_writer(out, &decoded).is_ok()
        }),
        Box::new(move |json, out| {
            let mut deserializer = serde_json::Deserializer::from_slice(json);
            let parsed = prost_reflect::DynamicMessage::deserialize(again.clone(), &mut deserializer);
            parsed.is_ok_and(|parsed| deserializer.end().is_ok() && parsed.encode(out).is_ok())
        }),
    )
}

fn pbjson_of<M: prost::Message + Default + Serialize + DeserializeOwned>() -> Contender {
    both(
        "pbjson",
        Box::new(|wire, out| {
            M::decode(wire).is_ok_and(|decoded| serde_json::to_writer(out, &decoded).is_ok())
        }),
        Box::new(|json, out| {
            serde_json::from_slice::<M>(json).is_ok_and(|parsed| parsed.encode(out).is_ok())
        }),
    )
}

fn buffa_of<M: buffa::Message + Serialize + DeserializeOwned>() -> Contender {
    both(
        "buffa",
        Box::new(|wire, out| {
            M::decode_from_slice(wire).is_ok_and(|decoded| serde_json::to_writer(out, &decoded).is_ok())
        }),
        Box::new(|json, out| {
            serde_json::from_slice::<M>(json).is_ok_and(|parsed| {
                parsed.encode(out);
                true
            })
        }),
    )
}

/// Views borrow from the wire bytes; there is no such thing in the other direction.
macro_rules! view_of {
    ($view:ty) => {
        Contender {
            name: "buffa views",
            to_json: Some(Box::new(|wire, out| {
                <$view>::decode_view(wire).is_ok_and(|decoded| serde_json::to_writer(out, &decoded).is_ok())
            })),
            from_json: None,
        }
    };
}

/// Calls a generic function for the type of the name.
macro_rules! by_name {
    ($name:expr, $types:ident, $function:ident) => {
        match $name {
            "Small" => $function::<$types::Small>(),
            "Medium" => $function::<$types::Medium>(),
            "NestedAndMap" => $function::<$types::NestedAndMap>(),
            "LargeString" => $function::<$types::LargeString>(),
            "LargeBytes" => $function::<$types::LargeBytes>(),
            "RepeatedNumbers" => $function::<$types::RepeatedNumbers>(),
            "AnyMessage" => $function::<$types::AnyMessage>(),
            other => unreachable!("{other}"),
        }
    };
}

fn pbjson(message: &str) -> Contender {
    by_name!(message, prost_types_of_bench, pbjson_of)
}

fn buffa(message: &str) -> Contender {
    use buffa_types_of_bench::bench::v1 as types;
    by_name!(message, types, buffa_of)
}

fn buffa_view(message: &str) -> Contender {
    use buffa_types_of_bench::bench::v1 as types;
    match message {
        "Small" => view_of!(types::SmallView<'_>),
        "Medium" => view_of!(types::MediumView<'_>),
        "NestedAndMap" => view_of!(types::NestedAndMapView<'_>),
        "LargeString" => view_of!(types::LargeStringView<'_>),
        "LargeBytes" => view_of!(types::LargeBytesView<'_>),
        "RepeatedNumbers" => view_of!(types::RepeatedNumbersView<'_>),
        "AnyMessage" => view_of!(types::AnyMessageView<'_>),
        other => unreachable!("{other}"),
    }
}

fn buffa_dynamic(message: &str) -> Contender {
    let pool = Arc::new(buffa_descriptor::DescriptorPool::decode(DESCRIPTORS).expect("valid descriptors"));
    let index = pool.message_index(&format!("bench.v1.{message}")).expect("in the descriptors");
    let again = Arc::clone(&pool);
    both(
        "buffa dynamic",
        Box::new(move |wire, out| {
            BuffaDynamic::decode(Arc::clone(&pool), index, wire)
                .is_ok_and(|decoded| serde_json::to_writer(out, &decoded).is_ok())
        }),
        Box::new(move |json, out| {
            let mut deserializer = serde_json::Deserializer::from_slice(json);
            let parsed = DynamicMessageSeed::new(Arc::clone(&again), index).deserialize(&mut deserializer);
            parsed.is_ok_and(|parsed| {
                parsed.encode(out);
                deserializer.end().is_ok()
            })
        }),
    )
}

/// What buffa's generated code resolves an `Any` with.
pub fn register_types() {
    let mut registry = buffa::type_registry::TypeRegistry::new();
    buffa_types::register_wkt_types(&mut registry);
    buffa_types_of_bench::bench::v1::__buffa::register_types(&mut registry);
    buffa::type_registry::set_type_registry(registry);
}
