//! The model's constraints, one by one: what breaks just one is refused in AWS's words, what just keeps it passes.

mod cases;
mod checks;
mod front_door;
