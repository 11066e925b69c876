#include "models/common/register_bank.h"
