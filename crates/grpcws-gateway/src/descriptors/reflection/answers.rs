//! What is asked of an upstream, and what it has answered.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use grpcws::{Code, Status};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::descriptors::builtin;
use crate::descriptors::files::{DescriptorFile, FileSet};
use crate::descriptors::options::DescriptorOptions;

/// Why descriptors could not be fetched.
#[derive(Debug)]
pub(super) enum Failure {
    /// The stream ended with this status.
    Stream(Status),
    /// An answer is an error without which nothing goes on, or is none.
    Answer(Status),
    /// A limit was exceeded.
    Limit(String),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Question {
    Services,
    /// The file that declares this name.
    Symbol(String),
    /// The file of this name.
    File(String),
}

impl Question {
    pub(super) fn request(&self) -> MessageRequest {
        match self {
            Self::Services => MessageRequest::ListServices(String::new()),
            Self::Symbol(name) => MessageRequest::FileContainingSymbol(name.clone()),
            Self::File(name) => MessageRequest::FileByFilename(name.clone()),
        }
    }
}

/// Questions that are open, and the files that came.
pub(super) struct Answers {
    files: FileSet,
    /// The names that are declared by the files.
    declared: HashSet<String>,
    queue: VecDeque<Question>,
    /// Every question that was ever queued.
    asked: HashSet<Question>,
    /// What the upstream cannot tell.
    missing: Vec<(Question, Status)>,
    bytes: usize,
    max_bytes: usize,
    max_files: usize,
}

impl Answers {
    pub(super) fn new(options: &DescriptorOptions) -> Self {
        let mut answers = Self {
            files: FileSet::default(),
            declared: HashSet::new(),
            queue: VecDeque::new(),
            asked: HashSet::new(),
            missing: Vec::new(),
            bytes: 0,
            max_bytes: options.max_bytes,
            max_files: options.max_files,
        };
        answers.ask(Question::Services);
        for name in &options.symbols {
            answers.ask(Question::Symbol(name.clone()));
        }
        answers
    }

    /// The next question whose answer is not known meanwhile.
    pub(super) fn next(&mut self) -> Option<Question> {
        loop {
            let question = self.queue.pop_front()?;
            let known = match &question {
                Question::Services => false,
                Question::Symbol(name) => self.declared.contains(name),
                Question::File(name) => self.files.file(name).is_some(),
            };
            if !known {
                return Some(question);
            }
        }
    }

    /// Puts back questions that got no answer, in their order.
    pub(super) fn put_back(&mut self, questions: VecDeque<Question>) {
        for question in questions.into_iter().rev() {
            self.queue.push_front(question);
        }
    }

    fn ask(&mut self, question: Question) {
        if self.asked.insert(question.clone()) {
            self.queue.push_back(question);
        }
    }

    pub(super) fn take(
        &mut self,
        question: &Question,
        answer: Option<MessageResponse>,
    ) -> Result<(), Failure> {
        match (question, answer) {
            (_, Some(MessageResponse::ErrorResponse(error))) => {
                let code = Code::from_number(error.error_code.into());
                self.failed(question, Status::new(code, error.error_message))
            }
            (Question::Services, Some(MessageResponse::ListServicesResponse(list))) => {
                if list.service.len() > self.max_files {
                    return Err(Failure::Limit(format!("{} services", self.max_files)));
                }
                list.service.into_iter().for_each(|service| self.ask(Question::Symbol(service.name)));
                Ok(())
            }
            (
                Question::Symbol(_) | Question::File(_),
                Some(MessageResponse::FileDescriptorResponse(found)),
            ) => found.file_descriptor_proto.into_iter().try_for_each(|bytes| self.take_file(bytes.into())),
            _ => Err(broken("server reflection answered another question")),
        }
    }

    fn take_file(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let file = DescriptorFile::decode(bytes)
            .map_err(|error| broken(format!("server reflection sent no descriptor: {error}")))?;
        if self.files.file(file.name()).is_some() {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(file.len());
        if self.bytes > self.max_bytes {
            return Err(Failure::Limit(format!("{} bytes", self.max_bytes)));
        }
        if self.files.len() >= self.max_files {
            return Err(Failure::Limit(format!("{} files", self.max_files)));
        }
        for import in &file.descriptor().dependency {
            if builtin::files().file(import).is_none() {
                self.ask(Question::File(import.clone()));
            }
        }
        self.declared.extend(file.declared());
        self.files.insert(file);
        Ok(())
    }

    /// A question that the upstream cannot answer is an answer, but for the first one.
    pub(super) fn failed(&mut self, question: &Question, status: Status) -> Result<(), Failure> {
        if *question == Question::Services {
            return Err(Failure::Answer(status));
        }
        self.missing.push((question.clone(), status));
        Ok(())
    }

    /// The files; tells what was not to be had.
    pub(super) fn finish(self, upstream: &str) -> FileSet {
        for (question, status) in &self.missing {
            match question {
                Question::Symbol(name) => {
                    tracing::info!(upstream, name, %status, "server reflection does not describe it");
                }
                // It matters only where one of its types is used, which is told then.
                Question::File(name) => {
                    tracing::debug!(upstream, name, %status, "server reflection does not have the file");
                }
                Question::Services => {}
            }
        }
        self.files
    }
}

/// An upstream that does not keep to the protocol of reflection.
pub(super) fn broken(message: impl Into<String>) -> Failure {
    Failure::Answer(Status::new(Code::Internal, message))
}
