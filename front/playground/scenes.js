// Scenes for the stage, as in cl_helpers/widgets/scenes.yaml: settings, methods one after the other, moves
// of λ at a place in tasks, a question to the hall, and what to take along when it has been played.

const FIVE = { stream: "permuted", tasks: 5, seed: 0 };

export const SCENES = [
  {
    title: "Forgetting", say: "One network learns five tasks, one after another. Nothing is held.",
    ask: "What is the accuracy on task 1 at the end, in %?", outcome: "first", set: FIVE, runs: ["none"],
    then: "The loss knows the task in training alone. Nothing pulled the weights back to where task 1 was solved.",
  },
  {
    title: "EWC holds what matters",
    say: "The same tasks. Weights that mattered are held, each as strongly as it mattered.",
    ask: "What is the accuracy on task 1 at the end now, in %?", outcome: "first", set: FIVE, runs: ["ewc"],
    then: "A bowl around the old weights stands for the loss of task 1: steep where a weight mattered to it.",
  },
  {
    title: "Too much λ",
    say: "After two tasks λ is moved far up. What do the later tasks find free to move?",
    ask: "What is the average accuracy at the end, in %?", outcome: "average", set: FIVE, runs: ["ewc"],
    moves: [[2, 1e4]],
    then: "A weight that is held for an old task is not free for a new one: λ trades plasticity for stability.",
  },
  {
    title: "Four side by side",
    say: "One penalty, four ways to say which weights matter, L2 among them: all alike.",
    ask: "Which one ends highest?", outcome: "best", set: FIVE, runs: ["l2", "ewc", "mas", "si"],
    then: "This was one seed each. Only a difference that comes back with other seeds tells methods apart.",
  },
  {
    title: "New digits in each task (Class-IL)",
    say: "Now each task has two new digits, which compete with all before them.",
    ask: "Which one ends highest?", outcome: "best", set: { ...FIVE, stream: "split" },
    runs: ["none", "ewc", "si", "er"],
    then: "A hold on weights says nothing about digits that were never shown side by side. Replay shows them so.",
  },
].map((scene) => ({ moves: [], options: scene.outcome === "best" ? scene.runs : [], ...scene }));
