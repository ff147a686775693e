//! docs/rules.md, row by row: each test changes one thing in a world in which all is lawful.

#[cfg(test)]
mod choosing;
#[cfg(test)]
mod countries;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod place;
#[cfg(test)]
mod reactions;
#[cfg(test)]
mod seats;
