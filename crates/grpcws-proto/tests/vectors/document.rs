//! PROTOCOL.md itself: it says what the vectors say.

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
