//! PROTOCOL.md itself: it says what the vectors say.

use serde_json::Value;

use super::{file, number, rows, text};

#[test]
fn the_flows_of_the_document_are_those_of_the_vectors() {
    let document = file("PROTOCOL.md");
    let (_, examples) = document.split_once("## 17. Example flows").expect("the section of the flows");
    let sections: Vec<&str> = examples.split("\n### 17.").skip(1).collect();
    let flows = rows("flows.json", "flows");
    assert_eq!(sections.len(), flows.len());
    for (section, flow) in sections.iter().zip(flows) {
        let title = format!("{} {}\n", number(&flow, "number"), text(&flow, "title"));
        assert!(section.starts_with(&title), "{title}");
        let mut lines = section.lines();
        for step in flow["steps"].as_array().unwrap() {
            let (name, value) = step.as_object().unwrap().iter().next().unwrap();
            let line = match name.as_str() {
                "client_text" => format!("C→G  text   {}", value.as_str().unwrap()),
                "gateway_text" => format!("G→C  text   {}", value.as_str().unwrap()),
                "client_binary" => format!("C→G  binary {}", spaced(value.as_str().unwrap())),
                "gateway_binary" => format!("G→C  binary {}", spaced(value.as_str().unwrap())),
                "gateway_close" => {
                    format!("G→C  close  {} \"{}\"", number(value, "code"), text(value, "reason"))
                }
                _ => continue,
            };
            assert!(lines.any(|other| other == line), "{title}{line}");
        }
        let frames = lines.filter(|line| line.starts_with("G→C")).count();
        assert_eq!(frames, 0, "{title}the document shows frames that the vectors do not have");
    }
}

fn spaced(hex: &str) -> String {
    let bytes: Vec<&str> = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]).collect();
    bytes.join(" ")
}

#[test]
fn the_table_of_status_codes_is_that_of_the_vectors() {
    let document = file("PROTOCOL.md");
    for row in rows("status.json", "codes") {
        let cells =
            format!("| {} | `{}` | `{}` |", number(&row, "code"), text(&row, "status"), text(&row, "go"));
        assert!(document.contains(&cells), "{cells}");
    }
}

/// The interface of the messages of one type: its members, each with whether it may be left out.
fn interface(document: &str, message_type: &str) -> Vec<(String, bool)> {
    let marker = format!("\n  type: \"{message_type}\";\n");
    let at = document.find(&marker).expect(&format!("an interface for {message_type}"));
    let (body, _) = document[at..].split_once("\n}").unwrap();
    let members = body.lines().filter(|line| !line.trim_start().starts_with("/**"));
    members
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(name, _)| (name.trim_end_matches('?').to_owned(), name.ends_with('?')))
        .collect()
}

#[test]
fn the_interfaces_of_the_document_have_the_members_of_the_messages() {
    let document = file("PROTOCOL.md");
    for row in rows("gateway_messages.json", "rows") {
        let message: Value = serde_json::from_str(text(&row, "text")).unwrap();
        let members = interface(&document, text(&message, "type"));
        for name in message.as_object().unwrap().keys() {
            assert!(members.iter().any(|(member, _)| member == name), "{name}: {message}");
        }
        for (name, optional) in members {
            assert!(optional || message.get(&name).is_some(), "{name}: {message}");
        }
    }
    for client_type in ["end_send", "cancel", "pong", "ping", "credit", "data"] {
        assert_eq!(interface(&document, client_type)[0], ("type".to_owned(), false), "{client_type}");
    }
}
