//! The control socket's requests and answers.
