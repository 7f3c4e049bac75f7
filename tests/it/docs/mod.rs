//! The documentation: its links lead somewhere, every page is in the book, and the book can be built.

mod book;
mod links;
mod pages;
