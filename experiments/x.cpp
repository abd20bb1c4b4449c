namespace binade {}
